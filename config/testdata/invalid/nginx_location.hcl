http {
  location /live {
    root = "/nginx"
  }
  location = /x {
    root = "/nginx"
  }
  location ~ \.ts$ {
    root = "/nginx"
  }
}
