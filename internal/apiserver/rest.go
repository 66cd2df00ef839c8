package apiserver

import (
	"net/http"

	"github.com/rtmpd/rtmpd/internal/api"
)

func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, c api.Caller, path string) {
	writeJSON(w, http.StatusNotFound, problem{"not built"})
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request, c api.Caller) {
	writeJSON(w, http.StatusNotFound, problem{"not built"})
}
