package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

const (
	// maxStreams is how many streams of events one daemon serves at a time.
	maxStreams = 100
	// streamPoll is how often a stream looks at its run: any replica may be working it, so the database is asked.
	streamPoll = 500 * time.Millisecond
	// streamLife bounds one connection, so that a key which was deleted or has expired loses its streams too.
	streamLife      = 15 * time.Minute
	streamHeartbeat = 15 * time.Second
	streamWrite     = 10 * time.Second
)

// streams counts the open streams of events.
type streams struct {
	mu    sync.Mutex
	open  int
	most  int
	ended chan struct{} // closed when the daemon stops
	once  sync.Once
}

func newStreams() *streams { return &streams{most: maxStreams, ended: make(chan struct{})} }

func (s *streams) take() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.most {
		return roster.Errorf(roster.Unavailable, "%d streams of events are open, as many as this daemon serves at a time: try again later, or poll %s/runs/{id}",
			s.open, Prefix)
	}
	s.open++
	return nil
}

func (s *streams) release() {
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
}

// EndStreams ends all streams of events, for a daemon that stops: a stream would keep its server from shutting down.
func (a *API) EndStreams() { a.streams.once.Do(func() { close(a.streams.ended) }) }

type runEventsInput struct {
	InRun
	LastEventID string `header:"Last-Event-ID" doc:"the id of the last event that was read; a stream always begins with how things are now"`
}

// eventRoute adds the stream of a run's progress. huma's own package for such streams has neither refusals nor comments.
func (a *API) eventRoute() {
	op := get("/runs/{id}/events", "run-events", "A run's progress as a stream of server-sent events, until it has ended")
	schemas := a.huma.OpenAPI().Components.Schemas
	event := func(kind string, data reflect.Type) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Title: "event " + kind, Properties: map[string]*huma.Schema{
			"id": {Type: huma.TypeString}, "event": {Type: huma.TypeString, Enum: []any{kind}}, "data": schemas.Schema(data, true, kind),
		}}
	}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "state first and whenever it changes, progress whenever it changes, end with the run last",
		Content: map[string]*huma.MediaType{client.EventStream: {Schema: &huma.Schema{OneOf: []*huma.Schema{
			event(client.EventState, reflect.TypeFor[client.RunState]()),
			event(client.EventProgress, reflect.TypeFor[client.RunProgress]()),
			event(client.EventEnd, reflect.TypeFor[client.Run]()),
		}}}},
	}}
	register(a, op, a.runEvents)
}

// runEvents answers GET /runs/{id}/events.
func (a *API) runEvents(ctx context.Context, in *runEventsInput) (*huma.StreamResponse, error) {
	r, err := a.run(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.streams.take(); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer a.streams.release()
		hctx.SetHeader("Content-Type", client.EventStream)
		hctx.SetHeader("X-Accel-Buffering", "no") // a proxy must not collect events
		w, ok := hctx.BodyWriter().(http.ResponseWriter)
		if !ok || hctx.Method() == http.MethodHead {
			return
		}
		id, err := strconv.ParseUint(in.LastEventID, 10, 63)
		if err != nil { // not one of ours
			id = 0
		}
		s := &runStream{a: a, w: w, control: http.NewResponseController(w), id: id}
		_ = s.control.SetReadDeadline(time.Time{}) // the server's is for requests that end
		if err := s.serve(ctx, r); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "a stream of a run's events ended early", "run", r.ID, "error", err)
		}
	}}, nil
}

// runStream is one open stream.
type runStream struct {
	a       *API
	w       http.ResponseWriter
	control *http.ResponseController
	id      uint64 // of the last event; a client that comes back goes on counting

	state   string
	shown   client.RunProgress
	told    bool
	planned plannedActions
	speed   speed
}

// plannedActions is how many actions a run applies: counted once for each phase, as a plan may be large.
type plannedActions struct {
	phase string
	n     int
}

// serve sends what is new of the run until it has ended, the client has gone or the daemon stops.
func (s *runStream) serve(ctx context.Context, r roster.Run) error {
	ctx, cancel := context.WithTimeout(ctx, streamLife)
	defer cancel()
	look, beat := time.NewTicker(streamPoll), time.NewTicker(s.a.heartbeat)
	defer look.Stop()
	defer beat.Stop()
	for {
		done, err := s.tell(ctx, &r)
		if done || err != nil {
			return err
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-s.a.streams.ended:
				return nil
			case <-beat.C:
				if err := s.write([]byte(": still here\n\n")); err != nil {
					return err
				}
			case <-look.C:
				waiting = false
			}
		}
		if r, err = s.a.store.Run(ctx, r.Org, r.ID); err != nil {
			return err
		}
	}
}

// tell sends what has changed, and reports whether the run has ended.
func (s *runStream) tell(ctx context.Context, r *roster.Run) (done bool, err error) {
	view := wireRun(r, "", nil)
	if view.State != s.state {
		s.state = view.State
		if err := s.send(client.EventState, client.RunState{Run: r.ID, State: view.State}); err != nil {
			return false, err
		}
	}
	if view.Progress != nil {
		if err := s.progress(ctx, r, *view.Progress); err != nil {
			return false, err
		}
	}
	if !view.Finished() {
		return false, nil
	}
	end, err := s.a.fullRun(ctx, r, false)
	if err != nil {
		return false, err
	}
	return true, s.send(client.EventEnd, end)
}

// progress sends how far the run is, if that is news. Time that merely passes is none.
func (s *runStream) progress(ctx context.Context, r *roster.Run, p client.Progress) error {
	now := client.RunProgress{Progress: p, Planned: s.planned.n}
	if p.Phase == "apply" && s.planned.phase != p.Phase || r.State.Finished() {
		_, states, err := s.a.store.ActionCounts(ctx, r.ID)
		if err != nil {
			return err
		}
		now.Planned = 0
		for state, n := range states {
			switch state {
			case roster.ActionPlanned, roster.ActionApproved, roster.ActionApplied, roster.ActionSkipped, roster.ActionRefused:
				now.Planned += n
			case roster.ActionHeld, roster.ActionListed:
			}
		}
		s.planned.n = now.Planned
	}
	s.planned.phase = p.Phase
	if s.told && now == s.shown {
		return nil
	}
	s.shown, s.told = now, true
	if !r.State.Finished() {
		now.ETA = s.speed.left(&now, r.StartedAt, s.a.now())
	}
	return s.send(client.EventProgress, now)
}

// send writes one event.
func (s *runStream) send(kind string, data any) error {
	var text bytes.Buffer
	s.id++
	fmt.Fprintf(&text, "id: %d\nevent: %s\ndata: ", s.id, kind)
	e := json.NewEncoder(&text) // it ends with the line, and has no other
	e.SetEscapeHTML(false)
	if err := e.Encode(data); err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	text.WriteByte('\n')
	return s.write(text.Bytes())
}

func (s *runStream) write(text []byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // best effort: not every ResponseWriter has deadlines
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	return nil
}

// speed is since when, and from where, the speed of a phase is measured.
type speed struct {
	phase string
	at    time.Time
	done  int
}

// speedShortest is for how long a phase is watched before its speed says anything.
const speedShortest = 2 * time.Second

// left is how many seconds the phase goes on at the speed so far; nil: that can't be said.
func (s *speed) left(p *client.RunProgress, started, now time.Time) *float64 {
	done, total := 0, 0
	switch p.Phase {
	case "pull":
		done, total = p.Objects, p.Total
	case "plan":
		done, total = p.Compared, p.Objects
	case "apply":
		done, total = p.Applied, p.Planned
	}
	if s.phase != p.Phase || done < s.done {
		*s = speed{p.Phase, now, done}
		if p.Phase == "pull" { // it is what a run begins with
			s.at, s.done = started, 0
		}
	}
	took := now.Sub(s.at)
	if took < speedShortest || done <= s.done || total <= done {
		return nil
	}
	left := took.Seconds() / float64(done-s.done) * float64(total-done)
	left = float64(int(left*10)) / 10
	return &left
}
