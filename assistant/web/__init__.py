"""Listeners: the webhook that Alertmanager calls, and (elsewhere bound) the console that people read.

They never share a port: whoever may post alerts may not read notes, and the other way round.
"""
