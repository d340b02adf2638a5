package scimserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// mediaType is what the service answers (RFC 7644, section 3.1).
const mediaType = "application/scim+json"

// exchange is one request and its answer.
type exchange struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	began time.Time
	id    string     // the request's id; events and the request log carry it
	base  string     // URL of the service
	arg   string     // the id in the path
	query url.Values // decoded
	token roster.Token
	org   roster.Organisation // its ID is empty until the token is known
	body  []byte              // as read so far
	given []byte              // the body of an operation of a bulk request; nil: it is read from the request
	part  string              // what the request is a part of, for the request log
	leave func()              // gives back the place of a large body; nil: it has none
	trace trace
}

// answer is a response that is made before it is sent.
type answer struct {
	status   int
	location string
	version  int64 // 0: no ETag
	body     []byte
	logged   []byte // what the request log gets in place of the body, if that is set
	detail   string // what the request log says beside it
}

// method is what the handlers see: HEAD is a GET of which net/http drops the body.
func (x *exchange) method() string {
	if x.r.Method == http.MethodHead {
		return http.MethodGet
	}
	return x.r.Method
}

// view is what the token may see.
func (x *exchange) view() store.View {
	return store.View{Org: x.org.ID, Connection: x.token.Connection}
}

// send writes an answer.
func (x *exchange) send(a answer) {
	a = x.conditional(a)
	x.header(a)
	if a.body != nil {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	x.w.WriteHeader(a.status)
	if len(a.body) > 0 {
		_, _ = x.w.Write(a.body) // the client is gone: nobody is left to tell
	}
}

func (x *exchange) header(a answer) {
	if x.leave != nil {
		x.leave()
	}
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h.Set("Content-Type", answerType(x.r.Header.Values("Accept")))
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.version != 0 {
		h.Set("ETag", etag(a.version))
	}
}

// sendJSON writes a 200 with a document.
func (x *exchange) sendJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	x.send(answer{status: http.StatusOK, body: body})
	return nil
}

// readBody reads the body of a POST, PUT or PATCH once its content type is one that SCIM knows.
func (x *exchange) readBody() error {
	if x.given != nil {
		x.body = x.given
		return nil
	}
	return x.readUpTo(x.s.limits.body, "the body is larger than %d bytes")
}

// readUpTo reads a body; tooLarge says what the limit is.
func (x *exchange) readUpTo(limit int64, tooLarge string) error {
	if err := contentType(x.r.Header.Get("Content-Type")); err != nil {
		return err
	}
	var err error
	x.body, err = web.ReadBody(x.w, x.r, limit)
	switch {
	case errors.Is(err, web.ErrBodyTooLarge):
		return scim.NewError(http.StatusRequestEntityTooLarge, tooLarge, limit)
	case errors.Is(err, web.ErrBodyEncoding):
		return scim.NewError(http.StatusUnsupportedMediaType, "Content-Encoding must be gzip or none")
	case err != nil:
		return scim.InvalidSyntax("%v", err)
	case len(bytes.TrimSpace(x.body)) == 0:
		return scim.InvalidSyntax("the body is empty")
	}
	return x.admitLarge()
}

// contentType accepts SCIM's own type and plain JSON, both in UTF-8, and a client that names none.
func contentType(header string) error {
	if strings.TrimSpace(header) == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil || (kind != mediaType && kind != "application/json") {
		return scim.NewError(http.StatusUnsupportedMediaType, "Content-Type must be %s or application/json", mediaType)
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "utf8") {
		return scim.NewError(http.StatusUnsupportedMediaType, "the charset must be utf-8")
	}
	return nil
}

// projection is the client's choice of attributes (RFC 7644, section 3.9), which any request may carry.
func (x *exchange) projection(t *scim.ResourceType) (scim.Projection, error) {
	q, err := scim.ParseListQuery(x.query)
	if err != nil {
		return scim.Projection{}, err
	}
	return scim.ParseProjection(t, q.Attributes, q.ExcludedAttributes), nil
}
