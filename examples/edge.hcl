# An edge: its players get streams that other servers have. A script says which server has
# a stream: it answers 302 with "Location: rtmp://HOST/APP/NAME". The stream is pulled from
# there for as long as somebody plays it.
rtmp {
  listen = ":1935"

  application "live" {
    on_play        = "http://127.0.0.1:5000/where"
    notify_timeout = "3s" # a script that does not answer refuses

    # Nobody publishes here.
    access {
      publish = ["deny all"]
    }
  }
}
