package routerostest

import (
	"bufio"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// command does one thing to an address list.
func (r *Router) command(out *bufio.Writer, command string, args, queries map[string]string, answer func(words ...string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = append(r.commands, command)
	refuse := func(message string) {
		answer("!trap", "=message="+message)
		answer("!done")
	}
	path, verb := command[:strings.LastIndex(command, "/")], command[strings.LastIndex(command, "/")+1:]
	if path != path4 && (path != path6 || r.NoIPv6) {
		refuse("no such command prefix")
		return
	}
	r.expire(path)
	find := func() int {
		return slices.IndexFunc(r.lists[path], func(e *Entry) bool { return e.ID == args[".id"] })
	}
	switch verb {
	case "print":
		found := 0
		for _, e := range r.lists[path] {
			if list, asked := queries["list"]; asked && list != e.List {
				continue
			}
			if found++; r.PerEntry > 0 && found%100 == 0 {
				out.Flush()
				time.Sleep(100 * r.PerEntry)
			}
			answer(slices.DeleteFunc([]string{
				"!re", "=.id=" + e.ID, "=address=" + e.Address, r.span(e), comment(e), "=disabled=" + strconv.FormatBool(e.Disabled),
			}, func(word string) bool { return word == "" })...)
		}
		if found == 0 && r.Empty {
			answer("!empty")
		}
		answer("!done")
	case "add":
		if slices.ContainsFunc(r.lists[path], func(e *Entry) bool { return e.List == args["list"] && e.Address == args["address"] }) {
			refuse("failure: already have such entry")
			return
		}
		if !valid(args["address"]) {
			refuse("invalid value for argument address")
			return
		}
		ends, ok := r.ends(args)
		if !ok {
			refuse("invalid value for argument timeout")
			return
		}
		e := r.put(path, Entry{List: args["list"], Address: args["address"], Comment: args["comment"], Ends: ends})
		answer("!done", "=ret="+e.ID)
	case "set", "remove":
		i := find()
		if i < 0 {
			refuse("no such item")
			return
		}
		if verb == "remove" {
			r.lists[path] = slices.Delete(r.lists[path], i, i+1)
			answer("!done")
			return
		}
		ends, ok := r.ends(args)
		if !ok || r.RefuseSet {
			refuse("failure: can not change dynamic")
			return
		}
		r.lists[path][i].Ends = ends
		answer("!done")
	default:
		refuse("no such command")
	}
}

func valid(address string) bool {
	_, notAddr := netip.ParseAddr(address)
	prefix, notPrefix := netip.ParsePrefix(address)
	return notAddr == nil || notPrefix == nil && prefix == prefix.Masked()
}

func comment(e *Entry) string {
	if e.Comment == "" {
		return ""
	}
	return "=comment=" + e.Comment
}
