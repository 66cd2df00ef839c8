rtmp {
  application "a" {
    exec "static" "camera" {
      command = "ffmpeg -i rtsp://cam1/stream -c copy -f flv rtmp://127.0.0.1/a/$name"
      streams = ["a*"]
    }
    exec "push" "low" {
      command = "ffmpeg -i rtmp://localhost/a/$name -f flv rtmp://localhost/b/$name_low 2>>/var/log/ffmpeg.log"
    }
    exec "push" "pipe" {
      command = ["ffmpeg", "-i", "x", "|", "tee", "y"]
    }
    exec "publish" "date" {
      command = ["touch", "/srv/$$(date)"]
    }
    exec "publish" "file" {
      command = ["cp", "$path", "/srv"]
    }
    exec "pull" "who" {
      command = ["ffmpeg", "-i", "http://x/$name?$args"]
    }
    exec "publish" "program" {
      command = ["/usr/local/bin/$name"]
    }
    exec "push" "semicolon" {
      command = "ffmpeg -i x -f flv rtmp://localhost/b/$name;"
    }
    exec "publish" "off" {
      enabled = false
      command = ["echo", "$name"]
    }
    record "r" {
      path = "/srv"
      exec "publish" "x" {
        command = ["true"]
      }
      exec "record_done" "y" {
        command = ["mv", "$path", "/srv/$basename-$year.flv"]
      }
    }
    stream "x*" {
      exec "static" "x" {
        command = ["true"]
      }
    }
  }
  application "*" {
    exec "static" "y" {
      command = ["true"]
    }
  }
}
