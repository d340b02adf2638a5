package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// The events of GET /runs/{id}/events, a stream of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
const (
	EventState    = "state"    // RunState: first of all, and whenever it changes
	EventProgress = "progress" // RunProgress, whenever it changes
	EventEnd      = "end"      // Run without its actions: the last event
)

// EventStream is the media type of such a stream.
const EventStream = "text/event-stream"

// RunState is the data of an event of the kind state.
type RunState struct {
	Run   string `json:"run"`
	State string `json:"state"`
}

// RunProgress is the data of an event of the kind progress.
type RunProgress struct {
	Progress
	Planned int      `json:"planned" doc:"how many actions are applied, or are going to be; 0: not known yet"`
	ETA     *float64 `json:"eta_seconds" doc:"how much longer this phase takes at the speed so far; null: that can't be said"`
}

// RunUpdate is what a stream tells of a run before its end: either of the two.
type RunUpdate struct {
	State    string
	Progress *RunProgress
}

const (
	// streamTries is how often a broken stream is opened again while nothing comes of it.
	streamTries = 3
	// streamSilence is for how long a stream may say nothing, not even that it lives, which it does each 15 seconds.
	streamSilence = 50 * time.Second
	streamPause   = 200 * time.Millisecond
	// maxEvent bounds one line of a stream.
	maxEvent = 16 << 20
)

var errBroken = errors.New("the stream of a run's progress broke off")

// FollowRun streams a run's progress and returns the run, without its actions, when it has ended. A stream that breaks off
// is opened again; where that fails, or the daemon has none, the error says so and Run still tells how far the run is.
func (c *Client) FollowRun(ctx context.Context, id string, seen func(RunUpdate)) (Run, error) {
	last := ""
	for try := 1; ; try++ {
		s := runStream{seen: seen, last: last}
		err := c.stream(ctx, id, &s)
		if s.last != last {
			last, try = s.last, 0
		}
		switch {
		case s.end != nil:
			return *s.end, nil
		case ctx.Err() != nil:
			return Run{}, context.Cause(ctx)
		case !Temporary(err) && !errors.Is(err, errBroken), try >= streamTries:
			return Run{}, err
		}
		select {
		case <-ctx.Done():
			return Run{}, context.Cause(ctx)
		case <-time.After(streamPause << try):
		}
	}
}

// runStream is one connection's part of a stream.
type runStream struct {
	seen func(RunUpdate)
	last string // the id of the last event
	end  *Run
}

// stream reads one connection to its end.
func (c *Client) stream(ctx context.Context, id string, s *runStream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := c.request(ctx, http.MethodGet, path("runs", id, "events"), nil, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", EventStream)
	if s.last != "" {
		request.Header.Set("Last-Event-ID", s.last)
	}
	silence := time.AfterFunc(streamSilence, cancel)
	defer silence.Stop()
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return problem(response)
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != EventStream {
		return fmt.Errorf("the daemon answered with %q instead of a stream of events", media)
	}
	return s.read(response.Body, func() { silence.Reset(streamSilence) })
}

// read takes events until the one that ends the run.
func (s *runStream) read(body io.Reader, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	kind, id := "", s.last
	var data []string
	for lines.Scan() {
		alive()
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if s.last = id; len(data) > 0 {
				if err := s.take(kind, strings.Join(data, "\n")); err != nil || s.end != nil {
					return err
				}
			}
			kind, data = "", nil
		case name == "event":
			kind = value
		case name == "data":
			data = append(data, value)
		case name == "id":
			id = value
		}
	}
	return errors.Join(errBroken, lines.Err())
}

func (s *runStream) take(kind, data string) error {
	var err error
	switch kind {
	case EventState:
		var state RunState
		if err = json.Unmarshal([]byte(data), &state); err == nil {
			s.seen(RunUpdate{State: state.State})
		}
	case EventProgress:
		var p RunProgress
		if err = json.Unmarshal([]byte(data), &p); err == nil {
			s.seen(RunUpdate{Progress: &p})
		}
	case EventEnd:
		var r Run
		if err = json.Unmarshal([]byte(data), &r); err == nil {
			s.end = &r
		}
	}
	if err != nil {
		return fmt.Errorf("an event of the kind %s is not what this version of rosterd reads: %w", kind, err)
	}
	return nil
}
