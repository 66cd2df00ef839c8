rtmp {
  application "a" {
    access {
      publish = ["allow 10.0.0.0/8"]
      keyless = "allow all"
    }
  }
  application "b" {
    access {
      publish = ["permit 10.0.0.0/8", "deny all"]
      keyless = ["deny all", "allow 10.0.0.1"]
    }
  }
  application "c" {
    access {
      publish = ["allow 10.0.0.1/8", "deny all"]
      keyless = ["allow somewhere", "deny all"]
    }
  }
  application "d" {
    access {
      publish = []
    }
  }
}
http {
  trusted_proxies = ["loopbck"]
  location "/" {
    root   = "/srv"
    access = ["allow 10.0.0.0/8"]
  }
}
