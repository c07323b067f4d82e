from .mcp import serve_http as serve_http
from .mcp import serve_stdio as serve_stdio
