rtmp {
  listen = [":1935", "localhost:1936", 70000]
}
rtmp {
  listen = "*:1936"
}
rtmp {
  listen = "[::]:1938x"
}
http {
  listen = "127.0.0.1"
}
http {
  listen = "::1:8080"
}
http {
  listen = "unix:run/x.sock"
}
http {
  listen = { port = 80 }
}
http {
  listen = [":8089", "127.0.0.1:8089"]
}
