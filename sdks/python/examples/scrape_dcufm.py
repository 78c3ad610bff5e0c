import requests
import bs4
import odin

odin.config("scrape_dcufm.yml")

html = requests.get("http://dcufm.redbrick.dcu.ie")
if odin.condition(html.status_code != 200):
    odin.result("HTTP request returning a non-200 code")
else:
    odin.watch(html)

data = bs4.BeautifulSoup(html, "lxml")
odin.watch(data)


table_row = data.find('body').find_all("tr")[6]
odin.watch(table_row)

listeners = table_row.find_all("td")[1].text
odin.watch(listeners)

odin.result("There are " + listeners + " people listening.")
