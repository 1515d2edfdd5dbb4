"""HTTP: health, metrics, the API and the page, over the port `Console`; nothing here decides or stores anything."""
