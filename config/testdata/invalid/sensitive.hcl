locals {
  pass  = "very-secret-local-1" + 1
  host  = "example.org"
  other = "seen"
}
rtmp {
  application "a" {
    stream_key "x" {
      secret = "very-secret-one space"
    }
    stream_key "y" {
      secret = local.pass
    }
    stream_key "z" {
      secret = "very-secret-two-${local.nothing}"
    }
    on_publish = "htp://user:very-secret-three@example.org/?token=very-secret-four"
    hls {
      path     = "/srv/a"
      fragment = env("SECRET")
      base_url = "${env("SECRET")} x"
    }
    push "p" {
      url = "rtmp://user:very-secret-five@example.org/$x"
      key = ["very-secret-six"]
    }
    notify_headers = { Authorization = "very-secret-seven\n" }
  }
}
http {
  location "/" {
    root  = "/srv"
    token = "very-secret-eight nine"
    basic_auth = {
      admin = "very-secret-nine"
    }
  }
}
