"""Journeys: the whole line, judged by the bytes that reached a socket, a file or a screen."""
