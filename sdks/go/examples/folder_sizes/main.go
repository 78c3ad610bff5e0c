// How large the folders in a folder are. FOLDER is where to look, OUTPUT the list that is written, LIMIT_BYTES what is too much.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/theycallmemac/odin/odin-libraries/go/odinlib"
)

type size struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

func main() {
	odin, _ := odinlib.Setup("folder_sizes.yml")
	folder := environment("FOLDER", ".")
	output := environment("OUTPUT", "folder_sizes.csv")
	limit, err := strconv.ParseInt(environment("LIMIT_BYTES", "10000000000"), 10, 64)
	if err != nil {
		odin.Result("LIMIT_BYTES is no number", 1)
	}

	sizes, err := measure(odin, folder)
	if err != nil {
		odin.Result(err.Error(), 1)
	}
	var total int64
	var largest size
	var list strings.Builder
	for _, size := range sizes {
		total += size.Bytes
		if size.Bytes > largest.Bytes || largest.Name == "" {
			largest = size
		}
		fmt.Fprintf(&list, "%q,%d\n", size.Name, size.Bytes)
	}
	odin.Metric("size", total, "bytes")
	if len(sizes) > 0 {
		odin.Watch("largest", largest)
	}
	if err := os.WriteFile(output, []byte(list.String()), 0o644); err != nil {
		odin.Result(err.Error(), 1)
	}
	odin.Artifact(output)

	if odin.Condition("within the limit", total <= limit) {
		odin.Result(fmt.Sprintf("%d folders, %d bytes", len(sizes), total), 0)
	}
	odin.Result(fmt.Sprintf("%d bytes are more than %d", total, limit), 400)
}

// measure gives the folders of a folder, by their names, with their sizes.
func measure(odin *odinlib.Odin, folder string) ([]size, error) {
	_, span := odin.Span(context.Background(), "measure")
	defer span.End()
	entries, err := os.ReadDir(folder)
	if err != nil {
		span.Fail(err)
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(entry fs.DirEntry) bool { return !entry.IsDir() })
	sizes := make([]size, 0, len(entries))
	for _, entry := range entries {
		bytes, err := bytesOf(filepath.Join(folder, entry.Name()))
		if err != nil {
			span.Fail(err)
			return nil, err
		}
		sizes = append(sizes, size{entry.Name(), bytes})
		odin.Progress(int64(len(sizes)), int64(len(entries)))
	}
	return sizes, nil
}

// bytesOf is the size of the files in a folder, and in those in it. Links are not followed.
func bytesOf(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := entry.Info()
		if err == nil {
			bytes += file.Size()
		}
		return err
	})
	return bytes, err
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
