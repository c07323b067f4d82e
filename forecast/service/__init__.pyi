from .app import Door as Door
from .app import serve as serve
from .people import Proxy as Proxy
from .worker import work as work
