"""Which version is the first bad one: the states between, the search, what runs where nobody did."""
