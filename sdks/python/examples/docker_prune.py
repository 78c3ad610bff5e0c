import os
import odin
odin.config("docker_prune.yml")
x = os.system("docker system prune --volumes")
odin.watch(x)
if odin.condition(x == 0):
    odin.result("Prune successful!")
else:
    odin.result("Prune failed - error: " + x)
