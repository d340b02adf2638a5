package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Recover turns a panic into a 500, logged once with its stack. With answer the surface writes the 500 in its own form;
// nil is plain text. An answer that has begun is cut off, so that no client takes the half for the whole.
func Recover(log *slog.Logger, answer http.HandlerFunc, next http.Handler) http.Handler {
	if answer == nil {
		answer = func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "internal error, request "+RequestIDOf(r.Context()), http.StatusInternalServerError)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // net/http's own way to cut an answer off
			}
			log.LogAttrs(r.Context(), slog.LevelError, "panic in a request",
				slog.String("request_id", RequestIDOf(r.Context())),
				slog.String("method", r.Method),
				slog.String("path", LoggedPath(r.URL)),
				slog.String("panic", fmt.Sprint(p)),
				slog.String("stack", string(debug.Stack())),
			)
			if rec.status != 0 {
				panic(http.ErrAbortHandler)
			}
			answer(w, r)
		}()
		next.ServeHTTP(rec, r)
	})
}
