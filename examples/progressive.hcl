# A stream as one file that lasts as long as the stream: OBS publishes rtmp://HOST/live and any
# name. http://HOST:8080/live/NAME.flv is for mpegts.js and VLC, NAME.mp3 or NAME.aac is a radio,
# NAME.mp4 plays in a <video>, NAME.ts and NAME.mkv in nearly everything.
rtmp {
  application "live" {
    # Who may publish: without a block like this, everybody. Viewers see the name "test".
    # stream_key "test" {}

    hls {
      path     = "/nginx/live"
      fragment = "2s"
    }
  }
}

http {
  location "/live" {
    root = "/nginx"
  }
}
