"""Where the time of training goes, and how near the machine's limit it is."""
