package control

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

func (s *Socket) status(w http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := s.read(w, r); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.o.Node.Status(), nil
}

func (s *Socket) members(w http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := s.read(w, r); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.o.Node.Members(), nil
}

func (s *Socket) upstreams(w http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := s.read(w, r); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.o.Node.Upstreams(""), nil
}

func (s *Socket) upstream(w http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := s.read(w, r); err != nil {
		return 0, nil, err
	}
	name := r.PathValue("upstream")
	list := s.o.Node.Upstreams(name)
	if len(list) == 1 {
		return http.StatusOK, list[0], nil
	}
	var known []string
	for _, u := range s.o.Node.Upstreams("") {
		known = append(known, u.Name)
	}
	return 0, nil, MissingUpstream(name, known)
}

// MissingUpstream tells that an upstream is none of those that there are.
func MissingUpstream(name string, known []string) *Failure {
	return &Failure{Code: UpstreamNotFound, Text: fmt.Sprintf("there is no upstream %q", name), Known: slices.Sorted(slices.Values(known))}
}

// read prepares a reading errand: with consistency=linearizable it sees all that
// was acknowledged before, on whichever node.
func (s *Socket) read(w http.ResponseWriter, r *http.Request) error {
	values, err := arguments(r, "consistency")
	if err != nil {
		return err
	}
	switch how := values.Get("consistency"); how {
	case "", "local":
	case "linearizable":
		if err := s.o.Node.CatchUp(r.Context()); err != nil {
			return err
		}
	default:
		return &Failure{Code: BadRequest, Text: fmt.Sprintf("consistency=%q is neither local nor linearizable", how)}
	}
	w.Header().Set(headerApplied, strconv.FormatUint(s.o.Node.Status().Applied, 10))
	return nil
}

// request tells what came of an earlier write.
func (s *Socket) request(w http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := s.read(w, r); err != nil {
		return 0, nil, err
	}
	id := r.PathValue("request")
	if !isRequest(id) {
		return 0, nil, &Failure{Code: BadRequest, Text: fmt.Sprintf("%q is not 32 hexadecimal digits", id)}
	}
	o, known := s.o.Node.Outcome(id)
	if !known {
		return 0, nil, &Failure{Code: NotFound, Text: fmt.Sprintf("nothing is known of request %s: it was not done yet, or more than ten minutes ago", id), Request: id}
	}
	return http.StatusOK, o, nil
}

func (s *Socket) addServer(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var body NewServer
	return s.change(w, r, &body, func(by Write) (Outcome, error) {
		if body.Server == "" {
			return Outcome{}, &Failure{Code: BadRequest, Text: `the field "server" is missing`}
		}
		if err := cmp.Or(checkText("server", body.Server, maxText), body.check()); err != nil {
			return Outcome{}, err
		}
		return s.o.Node.AddServer(r.Context(), by, r.PathValue("upstream"), body)
	})
}

func (s *Socket) editServer(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var body ServerEdit
	return s.change(w, r, &body, func(by Write) (Outcome, error) {
		switch {
		case body.Order != nil && !slices.Contains([]string{"up", "drain", "down", "none"}, *body.Order):
			return Outcome{}, &Failure{Code: BadParameter, Text: fmt.Sprintf("the order %q is none of up, drain, down, none", *body.Order)}
		case body.Order == nil && len(body.Words()) == 0:
			return Outcome{}, &Failure{Code: BadRequest, Text: "nothing is to be changed"}
		case body.Order == nil && body.Why != "":
			return Outcome{}, &Failure{Code: BadRequest, Text: `"why" is said of an order`}
		}
		if err := cmp.Or(checkText("why", body.Why, maxWhy), body.check()); err != nil {
			return Outcome{}, err
		}
		return s.o.Node.EditServer(r.Context(), by, r.PathValue("upstream"), r.PathValue("server"), body)
	})
}

func (s *Socket) removeServer(w http.ResponseWriter, r *http.Request) (int, any, error) {
	return s.change(w, r, nil, func(by Write) (Outcome, error) {
		return s.o.Node.RemoveServer(r.Context(), by, r.PathValue("upstream"), r.PathValue("server"))
	})
}

func (s *Socket) transfer(w http.ResponseWriter, r *http.Request) (int, any, error) {
	return s.change(w, r, nil, func(Write) (Outcome, error) { return s.o.Node.Transfer(r.Context()) })
}

func (s *Socket) leave(w http.ResponseWriter, r *http.Request) (int, any, error) {
	return s.change(w, r, nil, func(by Write) (Outcome, error) { return s.o.Node.Leave(r.Context(), by) })
}

func (s *Socket) removeNode(w http.ResponseWriter, r *http.Request) (int, any, error) {
	return s.change(w, r, nil, func(by Write) (Outcome, error) { return s.o.Node.RemoveNode(r.Context(), by, r.PathValue("node")) })
}

func (s *Socket) recover(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var body Recovery
	return s.change(w, r, &body, func(Write) (Outcome, error) {
		if body.Cluster == "" {
			return Outcome{}, &Failure{Code: BadRequest, Text: `the field "cluster" is missing: the cluster's id`}
		}
		return Outcome{}, s.o.Node.Recover(body.Cluster)
	})
}

func (s *Socket) rotate(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var body Rotation
	return s.change(w, r, &body, func(by Write) (Outcome, error) {
		rings := slices.Compact(slices.Sorted(slices.Values(body.Rings)))
		for _, ring := range rings {
			if !slices.Contains(Rings(), ring) {
				return Outcome{}, &Failure{Code: BadRequest, Text: fmt.Sprintf("there is no key ring %q", ring), Known: Rings()}
			}
		}
		return s.o.Node.Rotate(r.Context(), by, rings)
	})
}

// change does a writing errand whose body, if it has one, is read into body.
func (s *Socket) change(w http.ResponseWriter, r *http.Request, body any, do func(Write) (Outcome, error)) (int, any, error) {
	by, err := write(r)
	if err != nil {
		return 0, nil, err
	}
	w.Header().Set(headerRequest, by.Request)
	if body != nil {
		if err := decode(r.Body, body); err != nil {
			return 0, nil, err
		}
	}
	o, err := do(by)
	if err != nil {
		return 0, nil, err
	}
	o.Request = by.Request
	if o.Index > 0 {
		w.Header().Set(headerIndex, strconv.FormatUint(o.Index, 10))
	}
	if _, added := body.(*NewServer); added {
		return http.StatusCreated, o, nil
	}
	return http.StatusOK, o, nil
}
