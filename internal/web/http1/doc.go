// Package http1 reads requests and writes answers of HTTP/1.1 without TLS. It
// knows no site: an http.Handler decides what is answered, and may hand over a
// Section of a file, which goes out by sendfile.
//
// It exists because it is measured to cost half of what net/http does per
// fragment (BenchmarkViewers of package web): net/http starts a goroutine for
// each request to see whether the client has gone, copies the header map, and
// sends a head and its file in two segments. HTTP/2 and everything with TLS is
// net/http's.
//
//	listener → Server.Serve → serverConn.run (one goroutine for each connection)
//	           serverConn.next: readHead, parseRequest
//	           handler → ResponseWriter → Conn.Write, Conn.sendSection
package http1
