rtmp {
  listen = []
}
http {
  listen = 8080
  tls {
    certificate = "cert.pem"
  }
}
http {
  listen = []
  tls {
    listen      = ":8443"
    certificate = "keys.hcl"
    key         = "missing.pem"
    min_version = "1.1"
  }
}
http {
  listen = []
  tls {
    listen      = ":9443"
    certificate = "keys.hcl"
    key         = "tls.hcl"
  }
}
http {
  listen = []
  tls {
    listen  = ":9444"
    domains = ["chat.example"]
    key     = "x.pem"
  }
}
http {
  listen = []
  tls {
    listen = ":9445"
  }
}
