//! HTTP, WebSocket, the web page, configuration and the command line
