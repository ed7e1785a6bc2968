"""Why two results differ: causes from records and contents, ranked; tables compared; pages for people."""
