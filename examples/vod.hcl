# Recordings and other files on demand: rtmp://HOST/vod/NAME plays /srv/videos/NAME.flv or
# NAME.mp4, also while rtmp://HOST/live/NAME is recorded there, and browsers find the same
# files at http://HOST:8080/videos/NAME.mp4.
rtmp {
  application "live" {
    # Who may publish: without a block like this, everybody. Viewers see the name "test".
    # stream_key "test" {}

    record "all" {
      path = "/srv/videos"
    }
  }

  application "vod" {
    live = false # files only

    vod {
      path = ["/srv/videos"]
    }
  }
}

http {
  location "/videos" {
    root = "/srv"
  }
}
