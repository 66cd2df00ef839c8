# Streams with pages: OBS publishes rtmp://HOST/live and any name. http://HOST:8080/ lists what is
# live, http://HOST:8080/NAME.html plays it, and its "share" has the line for other sites.
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
  # What viewers type, if a proxy stands in front that does not say it.
  # public_url = "https://tv.example.org"

  location "/live" {
    root = "/nginx"
  }

  location "/" {
    player {
      title        = "Scanlines TV"
      offline_text = "Back on Friday at 20:00."
      # poster     = "https://www.example.org/poster.jpg"
      # embed_from = ["https://forum.example.org"] # who may show it in a frame; everybody
    }
  }

  # curl 'http://127.0.0.1:8080/control/title?app=live&name=test&title=Friday+night'
  location "/control" {
    control {
      allow = ["title"]
    }
    access = ["allow loopback", "deny all"]
  }
}
