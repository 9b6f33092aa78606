"""Jobs: process uploads, start the jobs that they trigger, report on runs and settle them."""
