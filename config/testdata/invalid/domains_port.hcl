rtmp {
  listen = ":80"
  tls {
    listen = ":1936"
    domains = ["live.example.org"]
  }
}
http {
  listen = [":443", ":8080"]
  tls {
    listen = ":8443"
    domains = ["live.example.org"]
  }
}
