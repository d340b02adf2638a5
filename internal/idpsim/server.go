package idpsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const bodyLimit = 4 << 20

// ServeHTTP answers Graph v1.0 under /v1.0 and the tenant's token endpoint under /{tenant}/.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	path, graph := strings.CutPrefix(req.URL.Path, "/v1.0/")
	if !graph {
		t.serveLogin(w, req)
		return
	}
	body, err := readBody(req)
	if err != nil {
		t.send(w, req, fail(http.StatusBadRequest, "BadRequest", "Unable to read the request payload: "+err.Error()), nil)
		return
	}
	r := &request{
		method: req.Method, path: "/" + strings.Trim(path, "/"), query: req.URL.Query(), header: req.Header,
		body: body, base: origin(req) + "/v1.0", gone: req.Context().Done(),
	}
	if r.path == "/$batch" && r.method == http.MethodPost {
		rep, struck := t.batch(r)
		t.send(w, req, rep, struck)
		return
	}
	rep, struck := t.answer(r)
	t.send(w, req, rep, struck)
}

func origin(req *http.Request) string {
	scheme := "http"
	if req.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + req.Host
}

// readBody reads a body that may be gzipped, as the Graph SDKs send theirs.
func readBody(req *http.Request) ([]byte, error) {
	var from io.Reader = req.Body
	if strings.EqualFold(req.Header.Get("Content-Encoding"), "gzip") {
		zip, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, fmt.Errorf("gunzip: %w", err)
		}
		defer zip.Close()
		from = zip
	}
	body, err := io.ReadAll(io.LimitReader(from, bodyLimit))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// send writes a reply with the headers that Graph adds, spoilt on the way if a fault says so.
func (t *Tenant) send(w http.ResponseWriter, req *http.Request, rep reply, struck []Fault) {
	id := t.nextRequestID()
	client := req.Header.Get("client-request-id")
	if client == "" {
		client = id
	}
	t.sign(rep, id, client)
	body, err := encode(rep.body)
	if err != nil { // an answer is made of maps, slices and scalars
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	h.Set("Date", t.cfg.Now().UTC().Format(http.TimeFormat))
	h.Set("OData-Version", "4.0")
	h.Set("request-id", id)
	h.Set("client-request-id", client)
	for k, v := range rep.header {
		h.Set(k, v)
	}
	deliver(w, rep.status, body, struck, req.Context().Done())
}

// sign adds to an error body what tells one failure from another.
func (t *Tenant) sign(rep reply, id, client string) {
	if e, ok := rep.body["error"].(object); ok {
		e["innerError"] = object{
			"date": t.cfg.Now().UTC().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": client,
		}
	}
}

func encode(body any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func (t *Tenant) nextRequestID() string {
	t.state.Lock()
	defer t.state.Unlock()
	t.reqs++
	return fmt.Sprintf("5e0d1d00-0000-4000-8000-%012x", t.reqs)
}

// Server is a tenant that listens.
type Server struct {
	// URL is the address without a path: what graph_url, or the Okta org URL, is set to.
	URL  string
	http *http.Server
	done chan error
}

// Listen serves the tenant on addr, such as "127.0.0.1:0", until Close.
func (t *Tenant) Listen(addr string) (*Server, error) { return listen(addr, t) }

func listen(addr string, h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", addr) //nolint:noctx // closed by Close
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s := &Server{
		URL:  "http://" + l.Addr().String(),
		http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// Close stops listening, ends open connections after a second's grace and waits for the server to be gone.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // the grace is over
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
