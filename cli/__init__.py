"""`tunggal`: what an operator or an engineer does from a shell."""
