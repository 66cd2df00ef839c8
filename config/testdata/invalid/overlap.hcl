rtmp {
  listen = ":1935"
}
rtmp {
  listen = ["127.0.0.1:1936", "[::]:1935"]
}
http {
  listen = "0.0.0.0:1936"
}
http {
}
http {
  listen = 8080
}
