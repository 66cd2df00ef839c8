acme {
  email         = "Streams <streams@example.org>"
  directory_url = "http://ca.example.org/directory"
}
rtmp {
  tls {
    listen = ":1936"
    domains = [
      "https://live.example.org/show",
    ]
  }
}
rtmp {
  listen = ":1937"
  tls {
    listen = ":1938"
    domains = ["live.example.org:443"]
  }
}
http {
  listen = ":80"
  tls {
    listen = ":443"
    domains = ["*.example.org"]
  }
}
http {
  listen = ":81"
  tls {
    listen = ":444"
    domains = ["192.0.2.1"]
  }
}
http {
  listen = ":82"
  tls {
    listen = ":445"
    domains = ["bücher.example"]
  }
}
http {
  listen = ":83"
  tls {
    listen = ":446"
    domains = ["live..example"]
  }
}
http {
  listen = ":84"
  tls {
    listen = ":447"
    domains = []
  }
}
http {
  listen = ":85"
  tls {
    listen = ":448"
    domains = ["-live.example"]
  }
}
