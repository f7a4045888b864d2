const controls = document.getElementById("filter");
const rows = [...document.querySelectorAll("#claim-table > tbody > tr")];
const selects = [...controls.querySelectorAll("select")];
const count = document.getElementById("count");

function filterClaims() {
  let shown = 0;
  for (const row of rows) {
    row.hidden = !selects.every((select) => !select.value || row.dataset[select.dataset.column] === select.value);
    shown += !row.hidden;
  }
  count.textContent = `${shown} of ${rows.length} claims shown`;
}

for (const select of selects) select.addEventListener("change", filterClaims);
document.getElementById("reset").addEventListener("click", () => {
  for (const select of selects) select.value = "";
  filterClaims();
});
controls.hidden = false;
filterClaims();
