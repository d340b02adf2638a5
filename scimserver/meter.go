package scimserver

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Meter counts what a Server does. Every text that it is given is one of a few, whatever clients send.
type Meter interface {
	// Request is told of each request once it is answered: its method, or "other"; the first part of its path behind the
	// base URL, such as "Users", "root" where there is none, or "other"; and the status. A bulk request is one.
	Request(method, resource string, status int, took time.Duration)
	// Refused is told of each token that is not taken: it is RefusedUnknown, RefusedDisabled, and so on.
	Refused(reason string)
	// Admitted is told, within the context of a request, whose token it carries: the organisation's name and the token's.
	Admitted(ctx context.Context, organisation, token string)
}

// Why a token is not taken.
const (
	RefusedUnknown     = "unknown" // nobody's, or not a token at all
	RefusedExpired     = "expired"
	RefusedDisabled    = "disabled"
	RefusedSwitchedOff = "switched_off" // SCIM is, for the organisation
	RefusedAddress     = "address"      // the client's is in none of the token's ranges
	RefusedRate        = "rate"         // the token has used up its own
)

// RefusedReasons are all of them.
func RefusedReasons() []string {
	return []string{RefusedUnknown, RefusedExpired, RefusedDisabled, RefusedSwitchedOff, RefusedAddress, RefusedRate}
}

// unmetered is the Meter of a Server that was given none.
type unmetered struct{}

func (unmetered) Request(string, string, int, time.Duration) {}
func (unmetered) Refused(string)                             {}
func (unmetered) Admitted(context.Context, string, string)   {}

func (s *Server) measure(r *http.Request, status int, took time.Duration) {
	s.meter.Request(meteredMethod(r.Method), s.meteredResource(r.URL.EscapedPath()), status, took)
}

func meteredMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// Route is the template of a path that is the Server's, such as /Users/{id}, by the route table alone; "other": there is
// nothing.
func (s *Server) Route(path string) string {
	_, rest, _ := splitPath(path)
	_, id, found := s.find(rest)
	switch {
	case !found:
		return "other"
	case id != "":
		return "/" + rest[0] + "/{id}"
	}
	return "/" + strings.Join(rest, "/")
}

// meteredResource goes by the route table alone: what a client makes up is not in it.
func (s *Server) meteredResource(path string) string {
	_, rest, _ := splitPath(path)
	if _, _, found := s.find(rest); !found {
		return "other"
	}
	switch first, _, _ := strings.Cut(strings.Join(rest, "/"), "/"); first {
	case "", ".search":
		return "root"
	default:
		return first
	}
}
