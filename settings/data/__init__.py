"""What AWS offers, as checked-in tables with source and date: nothing is looked up while the program runs."""
