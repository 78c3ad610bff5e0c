package odinlib

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// EndWithin is how long the end of a program waits for acknowledgements, at most.
const EndWithin = 5 * time.Second

const (
	// So many reports in a row, and one more each togetherWithin, are sent by their callers, so that a program that crashes
	// has said what it saw. Those beyond go out together, togetherWithin later at most.
	oneByOne       = 8
	togetherWithin = time.Millisecond
	// How long to wait when the socket has no room.
	writeAgain         = 5 * time.Millisecond
	connectAgainMin    = 20 * time.Millisecond
	connectAgainMax    = time.Second
	writeBytes         = 64 << 10
	answerBytesMax     = 64 << 10
	socketNameBytesMax = 107
)

// link is the connection to Odin: what callers write themselves, and the goroutines that do the rest.
//
// Two locks. output is held by who writes to the socket, which never waits for Odin; state by who looks at the queue. Who holds
// both took output first.
type link struct {
	path  string
	token string
	// Held by who connects.
	connecting sync.Mutex

	output struct {
		sync.Mutex
		connection *net.UnixConn
		raw        syscall.RawConn
		// Lines that are being written, and how much of them was.
		lines   []byte
		written int
		// The last write found no room, or no connection: callers leave writing to the goroutine.
		isStalled bool
	}
	state struct {
		sync.Mutex
		queue queue
		// When callers that send one each togetherWithin would have sent what callers have.
		due          time.Time
		isStarted    bool
		isConnected  bool
		connectAfter time.Duration
		// Odin will never take anything of this process.
		refused string
		// What the last connection was refused with, when another may be let in.
		refusedForNow string
		// Those that flush wait for its close: everything is acknowledged, or nothing more will be.
		settled chan struct{}
	}
	// Wakes the writing goroutine.
	work chan struct{}
	// Wakes it at once, without waiting for what else may come.
	hurry chan struct{}
}

type written int

const (
	all written = iota
	// The socket is full.
	stalled
	// There is no connection, or it is breaking: the reading goroutine finds out.
	nowhere
)

func newLink(path, token string) *link {
	link := &link{path: path, token: token, work: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	link.state.connectAfter = connectAgainMin
	return link
}

// send takes a report on its way. It never waits.
func (link *link) send(restOfLine []byte, always bool) {
	state := &link.state
	state.Lock()
	if state.refused != "" {
		state.queue.dropped++
		state.Unlock()
		return
	}
	if !state.queue.push(restOfLine, always) {
		state.Unlock()
		return
	}
	isFirst := !state.isStarted
	state.isStarted = true
	isForCaller := link.isForCaller()
	state.Unlock()
	if isFirst {
		go link.serve()
		if link.connect() == nil {
			return
		}
	}
	if isForCaller {
		link.output.Lock()
		isWritten := !link.output.isStalled && link.output.connection != nil && link.write() == all
		link.output.Unlock()
		if isWritten {
			return
		}
	}
	wake(link.work)
}

// isForCaller says whether a caller is to send what there is. Who calls it holds state.
func (link *link) isForCaller() bool {
	now, due := time.Now(), &link.state.due
	if due.Before(now) {
		*due = now
	}
	if due.Sub(now) > (oneByOne-1)*togetherWithin {
		return false
	}
	*due = due.Add(togetherWithin)
	return true
}

func wake(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default: // It is awake already.
	}
}

// flush waits until everything is acknowledged, or nothing more will be, or the time is over.
func (link *link) flush(within time.Duration) Delivery {
	timer := time.NewTimer(within)
	defer timer.Stop()
	state := &link.state
	for isInTime := true; ; {
		state.Lock()
		if state.queue.isEmpty() || state.refused != "" || !isInTime {
			defer state.Unlock()
			return link.delivery()
		}
		if state.settled == nil {
			state.settled = make(chan struct{})
		}
		settled := state.settled
		state.Unlock()
		wake(link.hurry)
		select {
		case <-settled:
		case <-timer.C:
			isInTime = false
		}
	}
}

func (link *link) delivery() Delivery {
	state := &link.state
	waiting := len(state.queue.waiting)
	delivery := Delivery{Undelivered: waiting + state.queue.dropped}
	switch {
	case delivery.Undelivered == 0:
	case state.refused != "":
		delivery.Why = state.refused
	case waiting == 0:
		delivery.Why = "the queue was full"
	case state.refusedForNow != "":
		delivery.Why = state.refusedForNow
	default:
		delivery.Why = "Odin did not acknowledge in time"
	}
	return delivery
}

// serve is the writing goroutine: it connects again, and writes what callers leave to it.
func (link *link) serve() {
	for {
		select {
		case <-link.work:
			link.pause(togetherWithin)
		case <-link.hurry:
		}
		for link.serveOnce() {
		}
	}
}

// serveOnce does one thing, and says whether there is more to do.
func (link *link) serveOnce() bool {
	state := &link.state
	state.Lock()
	isDone := state.refused != "" || state.queue.isEmpty() || state.isConnected && !state.queue.hasUnsent()
	isConnected, after := state.isConnected, state.connectAfter
	state.Unlock()
	if !isConnected {
		if isDone {
			return false
		}
		if link.connect() != nil {
			link.pause(after)
			link.connectLater()
		}
		return true
	}
	link.output.Lock()
	came := link.write()
	link.output.Unlock()
	switch came {
	case stalled:
		link.pause(writeAgain)
		return true
	case nowhere:
		// Until the reading goroutine has found out.
		link.pause(togetherWithin)
		return true
	}
	return false
}

func (link *link) pause(length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-link.hurry:
	}
}

func (link *link) connectLater() {
	state := &link.state
	state.Lock()
	defer state.Unlock()
	state.connectAfter = min(state.connectAfter*2, connectAgainMax)
}

// connect connects, unless somebody else was faster.
func (link *link) connect() error {
	link.connecting.Lock()
	defer link.connecting.Unlock()
	link.state.Lock()
	isConnected := link.state.isConnected
	link.state.Unlock()
	if isConnected {
		return nil
	}
	connection, err := dial(link.path)
	if err != nil {
		return err
	}
	raw, err := connection.SyscallConn()
	if err != nil {
		connection.Close()
		return err
	}
	hello := append([]byte(`{"hello":1,"token":`), appendString(nil, link.token)...)
	output := &link.output
	output.Lock()
	defer output.Unlock()
	output.connection, output.raw = connection, raw
	output.lines, output.written = append(hello, "}\n"...), 0
	output.isStalled = false
	link.state.Lock()
	link.state.isConnected = true
	link.state.queue.beginAgain()
	link.state.Unlock()
	go link.read(connection)
	if link.write() != all {
		wake(link.work)
	}
	return nil
}

// dial connects, also to a path that is longer than the kernel's addresses: by its folder. It does not wait for an Odin that
// does not accept.
func dial(path string) (*net.UnixConn, error) {
	const openPath = 0o10000000 // O_PATH needs no right to list the folder.
	if len(path) > socketNameBytesMax {
		folder, err := syscall.Open(filepath.Dir(path), openPath|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		defer syscall.Close(folder)
		path = "/proc/self/fd/" + strconv.Itoa(folder) + "/" + filepath.Base(path)
	}
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
}

// write writes until nothing is left or there is no room. Who calls it holds output.
func (link *link) write() written {
	output := &link.output
	for {
		if output.written == len(output.lines) {
			output.written = 0
			link.state.Lock()
			output.lines = link.state.queue.appendLines(output.lines[:0], writeBytes)
			link.state.Unlock()
			if len(output.lines) == 0 {
				output.isStalled = false
				return all
			}
		}
		if output.connection == nil {
			return nowhere
		}
		var count int
		var err error
		// Returning true says not to wait, whatever came of it.
		rawErr := output.raw.Write(func(descriptor uintptr) bool {
			count, err = syscall.Write(int(descriptor), output.lines[output.written:])
			return true
		})
		switch {
		case rawErr != nil:
			output.isStalled = true
			return nowhere
		case err == nil:
			output.written += count
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			output.isStalled = true
			return stalled
		default:
			output.isStalled = true
			return nowhere
		}
	}
}

// answer is any line from Odin.
type answer struct {
	Ack   *uint64 `json:"ack"`
	Error string  `json:"error"`
	Code  string  `json:"code"`
}

// read is a connection's reading goroutine: it takes what Odin answers until the connection ends.
func (link *link) read(connection *net.UnixConn) {
	lines := bufio.NewScanner(connection)
	lines.Buffer(nil, answerBytesMax)
	refused := answer{}
	for lines.Scan() {
		var line answer
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		if line.Ack != nil {
			link.acknowledge(*line.Ack)
		} else if line.Code != "" {
			refused = line
		}
	}
	link.endConnection(connection, refused)
}

func (link *link) acknowledge(seq uint64) {
	state := &link.state
	state.Lock()
	defer state.Unlock()
	state.refusedForNow = ""
	state.connectAfter = connectAgainMin
	state.queue.acknowledge(seq)
	state.queue.reportDropped(time.Now())
	if state.queue.hasUnsent() {
		wake(link.work)
	}
	if state.queue.isEmpty() {
		link.settle()
	}
}

func (link *link) settle() {
	if link.state.settled != nil {
		close(link.state.settled)
		link.state.settled = nil
	}
}

func (link *link) endConnection(connection *net.UnixConn, refused answer) {
	connection.Close()
	link.output.Lock()
	link.output.connection = nil
	link.output.lines, link.output.written = nil, 0
	link.output.Unlock()
	state := &link.state
	state.Lock()
	after := state.connectAfter
	state.isConnected = false
	state.queue.beginAgain()
	why := refused.Error + " (" + refused.Code + ")"
	switch refused.Code {
	case "":
	case "values/too-many-connections", "values/hello-late":
		state.refusedForNow = why
	default:
		state.refused = why
		link.settle()
	}
	state.connectAfter = min(after*2, connectAgainMax)
	state.Unlock()
	// Not at once: what ends a connection may end the next one, too.
	time.AfterFunc(after, func() { wake(link.work) })
}
