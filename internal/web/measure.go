package web

import (
	"net/http"
	"time"
)

// Measure tells of each request, once it is answered or cut off, with which status and how long it took.
func Measure(tell func(r *http.Request, status int, took time.Duration), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() { tell(r, rec.code(), time.Since(began)) }()
		next.ServeHTTP(rec, r)
	})
}
