package lb_test

import (
	"net"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/lb/lbtest"
)

// origin answers the requests that reach an upstream of a script.
func origin(c *lbtest.Call) {
	fields := []string{"X-Origin: yes"}
	if answers := c.Field("X-Answer"); answers != "" {
		fields = append(fields, strings.Split(answers, "|")...)
	}
	path, _, _ := strings.Cut(c.Target, "?")
	what := path[strings.LastIndex(path, "/")+1:]
	switch {
	case strings.Contains(path, "/status/"):
		status, err := strconv.Atoi(what)
		if err != nil {
			status = 500
		}
		c.Answer(status, "status "+what+"\n", fields...)
	case strings.Contains(path, "/size/"): // so many bytes
		n, err := strconv.Atoi(what)
		if err != nil {
			c.Answer(500, "")
			return
		}
		c.Answer(200, strings.Repeat("x", n), fields...)
	case what == "raw": // the request's body is the reply
		c.Send(c.Body)
	case what == "raw-end":
		c.Send(c.Body)
		c.Close()
	case what == "hang":
		c.Hang()
	case what == "told": // as X-Status and X-Body say
		status, err := strconv.Atoi(c.Field("X-Status"))
		if err != nil {
			status = 200
		}
		c.Answer(status, c.Field("X-Body"), fields...)
	case what == "asked": // with these conditions
		c.Answer(200, "Range: "+c.Field("Range")+", If-None-Match: "+c.Field("If-None-Match")+", method: "+c.Method+"\n", fields...)
	case what == "peer": // where the request comes from
		host, _, err := net.SplitHostPort(c.Conn.RemoteAddr().String())
		if err != nil {
			host = err.Error()
		}
		c.Answer(200, host+"\n", fields...)
	case what == "conn": // its number on the connection
		c.Answer(200, strconv.Itoa(c.Number)+"\n", fields...)
	default:
		c.Answer(200, c.Head+"\n"+c.Body, fields...)
	}
}
