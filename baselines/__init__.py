"""The methods that the suite compares; each is a program that obeys the contract."""
