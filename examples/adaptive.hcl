# One stream in, three renditions out: OBS publishes rtmp://HOST/live and any name, ffmpeg makes
# the renditions, and viewers watch http://HOST:8080/hls/NAME.m3u8, which names all three.
rtmp {
  application "live" {
    # Who may publish: without a block like this, everybody. Viewers see the name "test".
    # stream_key "test" {}

    access {
      play = ["allow loopback", "deny all"] # ffmpeg; everybody else watches HLS
    }

    # It runs for each stream for as long as that lives, through lost connections of the encoder.
    # -force_key_frames source: fragments of all renditions begin at the same pictures.
    exec "push" "ladder" {
      command = <<-FFMPEG
        ffmpeg -nostdin -hide_banner -loglevel warning -i rtmp://127.0.0.1/$app/$name
          -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 600 -sc_threshold 0 -force_key_frames source
            -vf scale=480:-2 -b:v 256k -maxrate 320k -bufsize 512k -c:a aac -b:a 32k -f flv rtmp://127.0.0.1/show/$name_low
          -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 600 -sc_threshold 0 -force_key_frames source
            -vf scale=720:-2 -b:v 768k -maxrate 960k -bufsize 1536k -c:a aac -b:a 96k -f flv rtmp://127.0.0.1/show/$name_mid
          -c copy -f flv rtmp://127.0.0.1/show/$name_src
      FFMPEG
    }
  }

  application "show" {
    access {
      publish = ["allow loopback", "deny all"]
      play    = ["deny all"]
    }

    hls {
      path            = "/nginx/hls"
      fragment        = "3s"
      playlist_length = "60s"
      variant "_low" {}
      variant "_mid" {}
      variant "_src" {}
    }
  }
}

http {
  location "/hls" {
    root = "/nginx"
  }
}
