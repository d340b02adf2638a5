package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// RequestIDHeader carries the request's id in every answer.
const RequestIDHeader = "X-Request-Id"

type contextKey int

const (
	requestIDKey contextKey = iota
	principalKey
	clientKey
)

// Floor gives each request an id, recovers panics and writes the access log.
func Floor(log *slog.Logger, next http.Handler) http.Handler {
	return RequestID(AccessLog(log, Recover(log, nil, next)))
}

// RequestID gives each request an id of its own, a UUIDv7, in its context and in the answer's header. One that stands
// there already is kept, so that a surface may put this around itself. What a client sends as an id is not believed.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if RequestIDOf(r.Context()) == "" {
			id := uuid.Must(uuid.NewV7()).String()
			r = r.WithContext(context.WithValue(r.Context(), requestIDKey, id))
			w.Header().Set(RequestIDHeader, id)
		}
		next.ServeHTTP(w, r)
	})
}

// RequestIDOf returns the request's id, or "" outside RequestID.
func RequestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// AccessLog writes one line for each request. It leaves out the query, which holds people's names and addresses, and masks
// tokens in the path.
func AccessLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("request_id", RequestIDOf(r.Context())),
				slog.String("method", r.Method),
				slog.String("path", LoggedPath(r.URL)),
				slog.Int("status", rec.code()),
				slog.Int64("bytes", rec.bytes),
				slog.Duration("duration", time.Since(began)),
				slog.String("client", ClientAddr(r)),
			)
		}()
		next.ServeHTTP(rec, r)
	})
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter

	status int
	bytes  int64
}

// WriteHeader remembers the status; informational ones are not the answer.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the body's bytes.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController: flushing and deadlines reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// code is the status as it was or will be sent: net/http answers 200 for a handler that wrote nothing.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
