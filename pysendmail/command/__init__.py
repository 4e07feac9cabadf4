"""The faces: one module for each program and what only the programs need."""
