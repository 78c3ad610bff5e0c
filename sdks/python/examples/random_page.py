import requests
import pyodin

odin = pyodin.Odin(config="random_page.yml")

response = requests.get("https://en.wikipedia.org/wiki/Special:Random")
odin.watch("url fetched", response.url)
if odin.condition("check if url is empty", response.url != ""):
    odin.result("fetched successfully", 0)
odin.result("failure when fetching", 1)
