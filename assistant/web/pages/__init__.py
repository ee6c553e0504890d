"""The console's pages: values in, template contexts out (`*_view`), and thin handlers that read and render.

`desk.Desk` is everything that pages read from; `routes.routes(desk)` is what the console's guest gives the listener.
Every text is escaped by Jinja; what would not be seen (controls, bidirectional overrides) is shown as what it is.
"""
