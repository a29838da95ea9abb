"""The notice that every command, table, figure and file carries."""

NOTICE = "Research software, not a medical device."
