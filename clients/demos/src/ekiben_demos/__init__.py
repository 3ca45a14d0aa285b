"""Small applications in the browser, each of them a client of an ekiben server."""
