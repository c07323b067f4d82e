from .app import Door as Door
from .app import serve as serve
from .mcp import serve_http as serve_http
from .mcp import serve_stdio as serve_stdio
from .people import Proxy as Proxy
from .worker import work as work
