"""How a message gets in: the request, the three doors, and the story of one submission."""
