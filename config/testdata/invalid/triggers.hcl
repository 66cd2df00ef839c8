trigger "PUSH_REWRITE" {
  handler = "http://127.0.0.1/a"
  streams = ["live/show"]
  default = "true"
}
trigger "PUSH_REWRITE" {
  handler  = ["/usr/bin/keys", "$name"]
  on_error = "default"
}
trigger "PUSH_REWRITE" {
  handler = ["/usr/bin/keys"]
  secret  = "0123456789"
}
trigger "PUSH_REWRITE" {
  handler = ["http://127.0.0.1/a", "http://127.0.0.1/b"]
}
trigger "STREAM_ADD" {
  handler = "http://127.0.0.1/a"
}
rtmp {
  application "live" {
    trigger "PUSH_REWRITE" {
      handler = "http://127.0.0.1/a"
      streams = ["live/*"]
    }
    trigger "PUSH_REWRITE" {
      handler = "http://127.0.0.1/a"
      retries = 100
    }
  }
}
